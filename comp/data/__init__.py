"""From a folder of images and a table to batches: index, folds, pack, augmentation, dataset."""
