"""Pure decisions and folds of the wizard."""
