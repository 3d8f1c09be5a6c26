"""One workflow, many jobs, many ComfyUI servers: prompts x rigs x seeds from a table, through the host's HTTP API."""
