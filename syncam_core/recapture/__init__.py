"""Filming a video again along another camera trajectory (ReCamMaster, arXiv 2503.11647), on Wan2.1.

The module is a camera encoder and a projector beside every block, and self-attention weights of its own. It reads the
target's latent frames followed by the clean source's, and predicts the target's.
"""
