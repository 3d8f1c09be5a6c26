"""All that knows ComfyUI's insides; no node."""
