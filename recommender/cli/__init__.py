"""The command line: parse, call, render; nothing else. Commands are imported when they are named."""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from recommender import __version__
from recommender.domain.errors import RecommenderError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# name -> (module, attribute, one-line help); `advise` is the default and needs no name.
COMMANDS = {
    "advise": ("recommender.cli.advise", "advise", "The answer: framework, format, level, settings (the default command)."),
    "probe": ("recommender.cli.probe", "probe", "Observe this machine, another machine's file tree, or write a recording."),
    "apply": ("recommender.cli.apply", "apply", "Make the recommended artifact from weights that lie here."),
    "measure": ("recommender.cli.measure", "measure", "Replace estimates by measurements, and see whether the order changes."),
    "tune": ("recommender.cli.tune", "tune", "Search for the best settings within a time; on one machine or many."),
    "predict": ("recommender.cli.predict", "predict", "The numbers for a whole table of cases (CSV or Parquet)."),
    "evidence": ("recommender.cli.evidence", "evidence", "Measurements: list, show, add, import other tools' files, export."),
    "doctor": ("recommender.cli.doctor", "doctor", "What disturbs measuring on this machine, and what mends it."),
    "explain": ("recommender.cli.explain", "explain", "Why, why not, compare two, or the page of a rule."),
    "diff": ("recommender.cli.diff", "diff", "What flipped an answer: the fact, row or evidence."),
    "catalog": ("recommender.cli.catalog", "catalog", "List and check the knowledge."),
    "rules": ("recommender.cli.rules", "rules", "List the rules, show one, tell how often they were right."),
    "claims": ("recommender.cli.claims", "claims", "What the chapter and vendors claim: confirmed, refuted or untested."),
    "frameworks": ("recommender.cli.frameworks", "frameworks", "What this machine can run, what not and why."),
    "cache": ("recommender.cli.cache", "cache", "List or drop what is cached and stored."),
    "completion": ("recommender.cli.completion", "completion", "Print the shell completion script."),
}
DEFAULT = "advise"


class Commands(click.Group):
    """Inserts the default command when the first word is an option, and imports a command only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "-h", "--version"}
        is_completing = ctx.resilient_parsing and not args
        if not is_completing and (not args or (args[0].startswith("-") and args[0] not in own)):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """A reader that has gone (`recommend ... | head -1`) is no failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered must not fail at exit
            sys.exit(0)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands, and the options of the default one."""
        found = super().shell_complete(ctx, incomplete)
        default = self.get_command(ctx, DEFAULT)
        return found + default.shell_complete(ctx, incomplete) if default and incomplete.startswith("-") else found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            raise click.UsageError(f"unknown command `{args[0]}`" + (f"; did you mean `recommend {near[0]}`?" if near else ""), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        formatter.write_text("Without a command: `recommend [--model M] [--target T] ...`; all its options: `recommend advise --help`.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="recommend")
def cli() -> None:
    """Which format should I ship? Framework, format, quantization level and run settings for AI models at the edge, with reasons."""


def main(args: list[str] | None = None) -> None:
    """Entry point: errors become one line (or one JSON object) and the exit code of their kind."""
    words = sys.argv[1:] if args is None else args
    _accept_all_letters()
    try:
        code = cli.main(args=words, prog_name="recommend", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except RecommenderError as error:
        _fail(words, error.code, error.message, error.hints, error.exit_code)
    except click.UsageError as error:
        named = f" {words[0]}" if words and words[0] in COMMANDS else ""
        hint = f"{error.ctx.command_path if error.ctx else 'recommend' + named} --help"
        _fail(words, "usage", error.format_message(), (hint,), 2)
    except click.ClickException as error:
        _fail(words, "usage", error.format_message(), (), 2)
    except (click.Abort, KeyboardInterrupt):
        _fail(words, "interrupted", "interrupted", (), 130)
    except BrokenPipeError:
        _fail(words, "output", "the reader of the output has gone", (), 1)
    except OSError as error:
        _fail(words, "system", f"{error.filename or 'the output'}: {error.strerror or error}", (), 1)


def _accept_all_letters() -> None:
    """A console or a file of another encoding than UTF-8 (Windows, latin-1) shows what it cannot write as escapes."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not _writes_utf8():
        sys.stdout.reconfigure(errors="backslashreplace")


def _writes_utf8() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "").replace("_", "") in ("utf8", "ascii", "usascii")


def _fail(words: list[str], code: str, message: str, hints: tuple[str, ...], exit_code: int) -> None:
    line = " ".join(message.split())
    told = [f"error: {line}", *(f"hint: {hint}" for hint in hints)]
    try:
        if "--json" in words or _asks_json(words):
            print(json.dumps({"error": {"code": code, "message": line, "hints": list(hints)}}), flush=True)
        else:
            print("\n".join(told), file=sys.stderr, flush=True)
    except OSError as error:  # a full disk, a reader that has gone: the exit code still tells
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered must not fail at exit
        if not isinstance(error, BrokenPipeError):
            say("\n".join(told))
    sys.exit(exit_code)


def _asks_json(words: list[str]) -> bool:
    return "--format=json" in words or any(a == "--format" and b == "json" for a, b in zip(words, words[1:], strict=False))


def say(text: str) -> None:
    """Progress and warnings go to standard error."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """One document on standard output, sorted keys, the same bytes for the same value (no indentation: it would cost a tenth of the run)."""
    click.echo(printable(json.dumps(value, sort_keys=True, ensure_ascii=not _writes_utf8())))


def printable(text: str) -> str:
    """Text that can be encoded: a file name that is not UTF-8 shows its odd bytes as escapes (which JSON reads back)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def in_its_encoding(text: str, form: str) -> str:
    """A page for an output that is not UTF-8: what is not ASCII as character references, so that any reader shows it."""
    return text if form != "html" or _writes_utf8() else text.encode("ascii", "xmlcharrefreplace").decode("ascii")
