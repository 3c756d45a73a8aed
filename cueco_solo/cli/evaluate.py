def add_parsers(c):
    pass
