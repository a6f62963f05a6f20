"""The Python API, one module per subject; `import comp` gives all of it."""
