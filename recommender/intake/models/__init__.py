"""Readers of model files: headers only. Nothing from a file is executed, and no reader holds weights in memory."""
