"""The wire: what calls may be asked and what they answer, as schemas."""
