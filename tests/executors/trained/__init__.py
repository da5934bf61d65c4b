"""Small models that have really learned something, each made by a script of its own that is run by path: `python make_X.py OUT_FOLDER`."""
