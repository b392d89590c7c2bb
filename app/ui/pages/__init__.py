"""The pages, one module each, found in this folder: each has a Flask `blueprint`."""
