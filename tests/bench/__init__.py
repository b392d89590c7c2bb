"""Speed beside a PHP page over the same rows: `python -m tests.bench`, see README.md here."""
