"""The code of the executable book *Neural Networks: Zero to Hero*.

One module per chapter. Import what a chapter teaches from its module, for
example ``from zerotohero.micrograd import Value``.
"""

__version__ = "0.1.0"
