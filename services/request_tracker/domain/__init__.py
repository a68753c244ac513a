"""Pure folds of the tracker."""
