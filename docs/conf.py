"""The documentation site, built without network: ``python -m sphinx docs build/docs``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from markdown_it import MarkdownIt
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode
from sphinx.writers.html5 import HTML5Translator

import superspike
from superspike.cli import main
from superspike.model.parameters import declared

ROOT = Path(__file__).parents[1]
INCLUDE = re.compile(r"```\{include\} (\S+)\n```\n")  # a page that is a file of the repository
INCLUDED = {
    (ROOT / "docs" / found[1]).resolve().relative_to(ROOT).as_posix(): page.stem
    for page in ROOT.glob("docs/*.md")
    if (found := INCLUDE.fullmatch(page.read_text(encoding="utf-8")))
}

project, author, release = "superspike", "The superspike developers", superspike.__version__
copyright = author
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_typehints = "none"  # numpydoc's sections say them in words
autodoc_member_order = "bysource"
html_theme, html_title, html_copy_source = "furo", f"superspike {release}", False
html_static_path, html_css_files, html_math_renderer = ["site.css"], ["site.css"], "mathml"


def inline_math(self: HTML5Translator, node: nodes.math) -> None:
    """MathML, which browsers draw themselves."""
    self.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def block_math(self: HTML5Translator, node: nodes.math_block) -> None:
    """The same on lines of its own, with its number if it has a label."""
    number = f'<span class="eqno">({node["number"]})</span>' if node["number"] else ""
    self.body.append(self.starttag(node, "div", CLASS="math") + number + tex2mathml(node.astext(), as_block=True) + "</div>")
    raise nodes.SkipNode


def include(app: Sphinx, docname: str, content: list[str]) -> None:
    """Put the file in the place of the page, its links seen from where it lies."""
    if found := INCLUDE.fullmatch(content[0]):
        path = Path(app.env.doc2path(docname)).parent / found[1]
        app.env.note_dependency(path)
        content[0] = re.sub(r"\]\((?!\w+:)", f"]({Path(found[1]).parent.as_posix()}/", path.read_text(encoding="utf-8"))


class RepositoryFiles(SphinxTransform):
    """A link to a text file of the repository leads to the page of the site that is it, or shows it."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        """Note the files, and turn the downloads that MyST made of them into links to their pages."""
        shown = self.env.__dict__.setdefault("repository_files", set())
        for node in [*self.document.findall(addnodes.download_reference), *self.document.findall(addnodes.pending_xref)]:
            if node.tagname == "download_reference":
                path = self.env.relfn2path(node["reftarget"], self.env.docname)[1]
            else:  # Markdown that is no page of docs/ has its whole path for a name
                path = node["reftarget"] + ".md" if Path(node["reftarget"]).is_absolute() else ""
            if Path(path).suffix in (".py", ".md", ".toml"):
                name = Path(os.path.relpath(path, ROOT)).as_posix()
                if name not in INCLUDED:
                    shown.add(name)
                uri = self.app.builder.get_relative_uri(self.env.docname, INCLUDED.get(name, f"files/{name}"))
                node.replace_self(nodes.reference("", "", *node.children, refuri=uri, internal=True))


def repository_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The pages of these files: Markdown as it is meant, code highlighted."""
    for name in sorted(app.env.repository_files):
        text = (ROOT / name).read_text(encoding="utf-8")
        if name.endswith(".md"):
            body = MarkdownIt("commonmark").enable("table").render(text)
        else:
            body = app.builder.highlighter.highlight_block(text, name.rpartition(".")[2])
        yield f"files/{name}", {"title": name, "body": f"<h1>{name}</h1>{body}"}, "page.html"


def prepare(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings for numpydoc: fields of parameter classes from their declarations, words that go on in the next line.

    ``name : what it is`` becomes a name and a text of its own, and so does the sentence on what is raised; bars are
    magnitudes, and no substitutions.
    """
    text = "\n".join(lines)
    if what == "class" and hasattr(obj, "_checked") and obj._fields:
        text += "\n\nParameters\n----------\n"
        for field, (param, kind) in declared(obj).items():
            unit, default = f", in {param.unit}" if param.unit else "", obj._field_defaults.get(field)
            text += f"{field} : {kind.__name__}{unit}, by default ``{default!r}``: {param.help}\n"
    text = re.sub(r"^(\*{0,2}\w[^\n:]*) : (.+)$", r"\1\n    \2", text, flags=re.M)
    text = re.sub(
        r"^(Raises\n-+\n\w+) (.+(?:\n\S.*)*)",
        lambda found: f"{found[1]}\n    " + found[2].replace("\n", "\n    "),
        text,
        flags=re.M,
    )
    lines[:] = text.replace("|", r"\|").split("\n")


def signature(app: Sphinx, what: str, name: str, obj: Any, options: Any, given: str, returned: str) -> tuple[str, str] | None:
    """A parameter class is called with its fields."""
    if what == "class" and hasattr(obj, "_checked"):
        return "(" + ", ".join(f"{field}={obj._field_defaults[field]!r}" for field in obj._fields) + ")", ""
    return None


def find_public(app: Sphinx, env: BuildEnvironment, node: nodes.Element, content: nodes.Element) -> nodes.Element | None:
    """A docstring names a class as its module does; its page has the public name."""
    public = "superspike." + node.get("reftarget", "").rpartition(".")[2]
    if node.get("refdomain") != "py" or public not in env.domains.python_domain.objects:
        return None
    found = env.domains.python_domain.objects[public]
    return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, content)


def skip_fields(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """The fields of named tuples are listed already."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def commands(group: click.Group, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of each command."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *words, name)
        else:
            yield *words, name


class Help(SphinxDirective):
    """What ``superspike --help`` prints, and in a section each what its commands do."""

    def printed(self, *words: str) -> nodes.Node:
        """Ask the program."""
        text = CliRunner().invoke(main, [*words, "--help"], prog_name="superspike", terminal_width=110).output
        return nodes.literal_block(text, text, language="text")

    def run(self) -> list[nodes.Node]:
        """The page."""
        found = [self.printed()]
        for words in commands(main):
            title = nodes.title("", " ".join(words))
            found.append(nodes.section("", title, self.printed(*words), ids=["-".join(words)]))
        return found


def setup(app: Sphinx) -> None:
    """Connect these."""
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.connect("source-read", include)
    app.add_transform(RepositoryFiles)
    app.connect("html-collect-pages", repository_pages)
    app.connect("autodoc-process-docstring", prepare, priority=400)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("missing-reference", find_public)
    app.add_directive("help", Help)
