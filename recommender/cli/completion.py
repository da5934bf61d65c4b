"""`recommend completion`: the shell completion script."""

from __future__ import annotations

import click

from recommender.cli import print_json
from recommender.cli.options import json_option
from recommender.domain.errors import UsageError

SHELLS = {
    "bash": 'eval "$(recommend completion bash)"',
    "zsh": 'eval "$(recommend completion zsh)"',
    "fish": "recommend completion fish | source",
}
PROGRAM, VARIABLE = "recommend", "_RECOMMEND_COMPLETE"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shell", metavar=f"[{'|'.join(SHELLS)}]")
@json_option
def completion(shell: str, as_json: bool) -> None:
    """Print the script that teaches a shell to complete `recommend`; evaluate it in the shell's start-up file."""
    from click.shell_completion import get_completion_class

    from recommender.cli import cli

    maker = get_completion_class(shell) if shell in SHELLS else None
    if maker is None:
        raise UsageError(
            f"no completion for `{shell}` (one of {', '.join(SHELLS)})",
            hints=tuple(f"recommend completion {name}" for name in SHELLS),
        )
    source = maker(cli, {}, PROGRAM, VARIABLE)
    script = source.source_template % source.source_vars()
    if as_json:
        return print_json({"shell": shell, "script": script, "start": SHELLS[shell]})
    click.echo(script)
