"""An example: a program of one file, which runs as a test too."""

def example(name, data = []):
    """The program NAME and the test NAME_test, both of NAME.cc.

    Args:
      name: of the program, its source and its folder.
      data: the files that it reads.
    """
    parts = {"srcs": [name + ".cc"], "data": data, "deps": ["//:talweg"]}
    native.cc_binary(name = name, **parts)
    native.cc_test(name = name + "_test", size = "small", **parts)
