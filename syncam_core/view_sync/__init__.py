"""The view-sync module of SynCamMaster, how its views are coupled, and its weights file."""
