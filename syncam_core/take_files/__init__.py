"""A take as files for somebody who has none of this: a page for any browser, a recording for Rerun."""
