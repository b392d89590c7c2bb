"""Exchange: sheets of codes and saved answers, in and out."""
