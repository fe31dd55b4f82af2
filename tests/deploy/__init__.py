"""The product as operators deploy it: under a Procfile runner, behind nginx, on several boxes, restarted one after the other."""
