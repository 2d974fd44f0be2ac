"""Each chapter as a notebook for plain Jupyter and Colab: numbers, links and figures in place.

``translator`` turns the resolved page into cells, on top of sphinx-tojupyter's translator;
``markdown`` spells what it needs in plain Markdown; ``cells`` makes code cells from the executed
chapter; ``first`` writes the cell that installs the package; ``export`` connects all that to the
build; ``launch`` sets the links of the page's menus. ``flaws`` checks a finished notebook.

`python -m bookbuild.notebooks` publishes the notebooks on a branch, and proves that they run.
"""
