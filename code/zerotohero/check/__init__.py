"""Checks for the exercises, a folder for each chapter: ``<chapter>.<exercise>(answer)``.

A check never raises for a wrong answer. It returns a verdict that is true or false and
displays what is right, what is wrong, or that nothing has been done yet.

A page imports the checks of its own exercises alone: ``from zerotohero.check import micrograd
as check``. Those of chapter 1 need nothing but Python, most others PyTorch.
"""
