//! The man page and the shells' completions, written from the flags' one definition: this test holds the
//! files in `man/` and `completions/` against it, and with `TIDY_WRITE=1` writes them.
use super::Top;
use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};
use std::path::Path;

type Info = CommandInfoWithArgs;
type Flag = FlagInfo<'static>;

#[test]
fn man_page_and_completions_are_those_of_the_flags() {
    let top = Top::get_args_info();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, text) in [
        ("man/pillarbox.1", man(&top)),
        ("completions/pillarbox.bash", bash(&top)),
        ("completions/_pillarbox", zsh(&top)),
        ("completions/pillarbox.fish", fish(&top)),
    ] {
        let path = root.join(path);
        if std::env::var_os("TIDY_WRITE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let is = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            is == text,
            "{} is not what the flags say: TIDY_WRITE=1 cargo test --lib manual writes it",
            path.display()
        );
    }
}

/// What argh knows of a value: its name, if there is one.
fn value(flag: &Flag) -> Option<&'static str> {
    match flag.kind {
        FlagInfoKind::Switch => None,
        FlagInfoKind::Option { arg_name } => Some(arg_name),
    }
}

fn is_file(flag: &Flag) -> bool {
    value(flag) == Some("FILE")
}

/// Those of a command; `--help` is everywhere.
fn flags(info: &Info) -> impl Iterator<Item = &Flag> {
    info.flags
        .iter()
        .filter(|flag| !flag.long.starts_with("--help"))
}

/// The first words of a text, two at least: a menu has no room for more.
fn short(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let ends = [" (", ": ", "; ", ". "];
    let mut cuts: Vec<usize> = ends
        .iter()
        .flat_map(|end| text.match_indices(end))
        .map(|(at, _)| at)
        .collect();
    cuts.sort_unstable();
    let is_enough = |at: &usize| text[..*at].contains(' ');
    let cut = cuts.into_iter().find(is_enough).unwrap_or(text.len());
    text[..cut].trim_end_matches('.').to_owned()
}

// ---- man(7) ----

/// A text as roff has it: nothing in it is a request.
fn roff(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('~', "\\(ti");
    let text = text
        .replace('`', "\\(ga")
        .replace('^', "\\(ha")
        .replace('\'', "\\(aq");
    match text.starts_with('.') {
        true => String::from("\\&") + &text,
        false => text,
    }
}

fn man(top: &Info) -> String {
    let mut page = String::from(
        ".\\\" Written from the flags' definition; do not edit.\n.TH PILLARBOX 1 \"\" \"Pillarbox\" \"User Commands\"\n",
    );
    let first = short(top.description);
    let first = first
        .strip_prefix("An ")
        .map_or(first.as_str(), |rest| rest);
    page += &format!(".SH NAME\npillarbox \\- {}\n", roff(first));
    page += ".SH SYNOPSIS\n.B pillarbox\n.I COMMAND\n.RI [ options ]\n.br\n.B pillarbox\n.BR \\-\\-version \" | \" \\-\\-help\n";
    page += &format!(".SH DESCRIPTION\n{}\n", roff(top.description));
    for note in top.notes {
        page += &format!(
            ".PP\n{}\n",
            roff(&note.replace("{command_name}", "pillarbox"))
        );
    }
    page += ".PP\nEvery option may be given as \\fB\\-\\-option\\fP \\fIvalue\\fP or \\fB\\-\\-option=value\\fP.\n";
    page += ".SH COMMANDS\n";
    for sub in &top.commands {
        command(&mut page, &sub.command);
    }
    page += ".SH EXIT STATUS\n.TP\n.B 0\nall is well\n";
    for code in top.error_codes {
        page += &format!(".TP\n.B {}\n{}\n", code.code, roff(code.description));
    }
    page += ".SH EXAMPLES\nFor a start:\n";
    examples(&mut page, top, "pillarbox");
    page
}

fn command(page: &mut String, info: &Info) {
    let name = format!("pillarbox {}", info.name);
    let mut usage = roff(&name) + " \\fR[\\fIoptions\\fR]";
    for positional in info.positionals {
        let dots = match positional.optionality {
            Optionality::Required | Optionality::Optional => "",
            Optionality::Repeating | Optionality::Greedy => "...",
        };
        usage += &format!(" \\fR[\\fI{}\\fR{dots}]", roff(positional.name));
    }
    *page += &format!(".SS {usage}\n{}\n", roff(info.description));
    for positional in info.positionals {
        if !positional.description.is_empty() {
            let (name, text) = (roff(positional.name), roff(positional.description));
            *page += &format!(".TP\n.I {name}\n{text}\n");
        }
    }
    for flag in flags(info) {
        let mut head = String::new();
        if let Some(letter) = flag.short {
            head += &format!("\\fB\\-{letter}\\fR, ");
        }
        head += &format!("\\fB{}\\fR", roff(flag.long));
        if let Some(value) = value(flag) {
            head += &format!(" \\fI{}\\fR", roff(value));
        }
        *page += &format!(".TP\n{head}\n{}\n", roff(flag.description));
    }
    for note in info.notes {
        *page += &format!(".PP\n{}\n", roff(&note.replace("{command_name}", &name)));
    }
    if !info.examples.is_empty() {
        *page += ".PP\nExamples:\n";
        examples(page, info, &name);
    }
}

fn examples(page: &mut String, info: &Info, name: &str) {
    for example in info.examples {
        let example = roff(&example.replace("{command_name}", name));
        *page += &format!(".PP\n.RS 4\n.nf\n{example}\n.fi\n.RE\n");
    }
}

// ---- bash ----

fn words<'a>(all: impl Iterator<Item = &'a Flag>) -> String {
    all.map(|flag| flag.long).collect::<Vec<_>>().join(" ")
}

fn bash(top: &Info) -> String {
    let mut cases = String::new();
    for sub in &top.commands {
        let info = &sub.command;
        cases += &format!(
            "    {})\n        flags='{} --help'\n        files='{}'\n        values='{}' ;;\n",
            sub.name,
            words(flags(info)),
            words(flags(info).filter(|flag| is_file(flag))),
            words(flags(info).filter(|flag| value(flag).is_some() && !is_file(flag))),
        );
    }
    let names: Vec<&str> = top.commands.iter().map(|sub| sub.name).collect();
    format!(
        r#"# pillarbox(1) completion for bash. Written from the flags' definition; do not edit.
_pillarbox() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}}
    local command='' flags files='' values='' i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${{COMP_WORDS[i]}} == -* ]] || {{ command=${{COMP_WORDS[i]}}; break; }}
    done
    case $command in
    '') flags='{names} --version --help' ;;
{cases}    *) return ;;
    esac
    if [[ " $values " == *" $prev "* ]]; then
        return
    elif [[ " $files " == *" $prev "* || $prev == -d ]]; then
        compopt -o default
    elif [[ -z $command || $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
    else
        compopt -o default
    fi
}}
complete -F _pillarbox pillarbox
"#,
        names = names.join(" "),
    )
}

// ---- zsh ----

fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''")
}

fn zsh(top: &Info) -> String {
    let mut out = String::from(
        "#compdef pillarbox\n# Written from the flags' definition; do not edit.\n\n_pillarbox() {\n    local state line\n    \
         local -a commands\n    commands=(\n",
    );
    for sub in &top.commands {
        let about = short(sub.command.description).replace(':', "\\:");
        out += &format!("        '{}:{}'\n", sub.name, quoted(&about));
    }
    out += "    )\n    _arguments -C '(- *)'{-V,--version}'[print the version and exit]' \\\n        '(- *)'{-h,--help}'[print help]' '1:command:->command' '*::argument:->rest'\n    case $state in\n    command) _describe command commands ;;\n    rest)\n        case $words[1] in\n";
    for sub in &top.commands {
        out += &format!(
            "        {})\n            _arguments '(- *)'{{-h,--help}}'[print help]'",
            sub.name
        );
        for flag in flags(&sub.command) {
            let about = short(flag.description);
            let about = quoted(
                &about
                    .replace('[', "\\[")
                    .replace(']', "\\]")
                    .replace(':', "\\:"),
            );
            let about = match value(flag) {
                Some(value) => {
                    let action = if is_file(flag) { "_files" } else { "" };
                    format!("'[{about}]:{}:{action}'", value.replace(':', "\\:"))
                }
                None => format!("'[{about}]'"),
            };
            let again = match flag.optionality {
                Optionality::Repeating => "\\*",
                _ => "",
            };
            out += " \\\n                ";
            match flag.short {
                Some(letter) => out += &format!("{again}{{-{letter},{}}}{about}", flag.long),
                None => out += &format!("{again}{}{about}", flag.long),
            }
        }
        for positional in sub.command.positionals {
            let action = if positional.name == "path" {
                "_files"
            } else {
                ""
            };
            out += &format!(" \\\n                '*:{}:{action}'", positional.name);
        }
        out += " ;;\n";
    }
    out + "        esac ;;\n    esac\n}\n\n_pillarbox \"$@\"\n"
}

// ---- fish ----

fn fish(top: &Info) -> String {
    let escaped = |text: &str| short(text).replace('\\', "\\\\").replace('\'', "\\'");
    let mut out = String::from(
        "# pillarbox(1) completion for fish. Written from the flags' definition; do not edit.\n\
         complete -c pillarbox -f\ncomplete -c pillarbox -l help -s h -d 'print help'\n\
         complete -c pillarbox -n __fish_use_subcommand -l version -s V -d 'print the version and exit'\n",
    );
    for sub in &top.commands {
        let about = escaped(sub.command.description);
        out += &format!(
            "complete -c pillarbox -n __fish_use_subcommand -a {} -d '{about}'\n",
            sub.name
        );
        let when = format!("'__fish_seen_subcommand_from {}'", sub.name);
        for flag in flags(&sub.command) {
            let long = flag.long.trim_start_matches('-');
            let letter = flag.short.map(|letter| format!(" -s {letter}"));
            let takes = match value(flag) {
                Some(_) if is_file(flag) => " -r -F",
                Some(_) => " -x",
                None => "",
            };
            out += &format!(
                "complete -c pillarbox -n {when} -l {long}{}{takes} -d '{}'\n",
                letter.unwrap_or_default(),
                escaped(flag.description)
            );
        }
        if sub.command.positionals.iter().any(|it| it.name == "path") {
            out += &format!("complete -c pillarbox -n {when} -F\n");
        }
    }
    out
}
