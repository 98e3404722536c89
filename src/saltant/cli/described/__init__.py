"""Task types, whitelists and queues described in a YAML file: `saltant apply` and `saltant export`."""
