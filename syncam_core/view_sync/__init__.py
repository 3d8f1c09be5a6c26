"""The view-sync module of SynCamMaster and its weights file."""

from .module import ViewSync, ViewSyncBlock
from .weights import ViewSyncWeights, WeightsError, read_weights, write_weights

__all__ = ["ViewSync", "ViewSyncBlock", "ViewSyncWeights", "WeightsError", "read_weights", "write_weights"]
