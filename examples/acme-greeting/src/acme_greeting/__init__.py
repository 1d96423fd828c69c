"""Greet, in the way that is usual in the house."""


def greet(name: str) -> str:
    """Greet somebody.

    :param name: the person's name.
    """
    return f"Hello {name}, from an in-house package"
