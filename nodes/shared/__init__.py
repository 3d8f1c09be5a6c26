"""What nodes share: inputs, socket types, checks, errors."""
