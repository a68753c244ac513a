"""Pure decisions and folds of the engine."""
