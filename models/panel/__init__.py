"""What is kept of a panel that this service stands in front of."""
