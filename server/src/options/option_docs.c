/* Help, configuration file and document, written from the table of options. */
#include <string.h>

#include "options/option_rows.h"

static const char *shown(const char *preset)
{
    return preset[0] ? preset : "(empty)";
}

void ebmd_options_help(FILE *out)
{
    size_t n;
    const ebmd_option *rows = ebmd__option_rows(&n);

    fputs("usage: ebmd [OPTION]...\n"
          "Serves energy-based image models over HTTP.\n\n",
          out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "  %s %s\n      %s\n      default: %s, environment: %s\n", rows[i].flag,
                rows[i].arg, rows[i].help, shown(rows[i].preset), rows[i].env);
    fputs("  --check-config\n      read the options, key file and certificate, say what is wrong, "
          "and exit\n"
          "  --print-config\n      write a configuration file with every option, and exit\n"
          "  --print-options\n      write the table of options in Markdown, and exit\n"
          "  --make-key ID\n      make an API key: prints it and its line for the key file, and "
          "exit\n"
          "  --help\n      show this and exit\n"
          "  --version\n      show the version and exit\n\n"
          "A flag beats the environment, which beats the file, which beats the default.\n"
          "Exit codes: 0 done, 64 usage, 65 bad model, 66 no model, 69 unavailable,\n"
          "71 system, 73 cannot create, 74 input/output, 75 try later, 78 configuration.\n",
          out);
}

void ebmd_options_conf(FILE *out)
{
    size_t n;
    const ebmd_option *rows = ebmd__option_rows(&n);

    fputs("# Configuration of ebmd: `key = value` lines. Every option is here with its default; "
          "uncomment\n"
          "# what you change. The environment (EBMD_*) and flags beat this file. Check it with\n"
          "# `ebmd --check-config --config FILE`. Written by `ebmd --print-config`.\n",
          out);
    for (size_t i = 1; i < n; i++) /* not --config itself */
        fprintf(out, "\n# %s\n#%s = %s\n", rows[i].help, rows[i].flag + 2, rows[i].preset);
}

/* A vertical bar would end a cell; backquotes make `key = value` readable in the help too. */
void ebmd_options_markdown(FILE *out)
{
    size_t n;
    const ebmd_option *rows = ebmd__option_rows(&n);

    fputs("| flag | in a file | environment | default | |\n|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "| `%s %s` | %s%s%s | `%s` | %s | %s |\n", rows[i].flag, rows[i].arg,
                i > 0 ? "`" : "", i > 0 ? rows[i].flag + 2 : "-", i > 0 ? "`" : "", rows[i].env,
                rows[i].preset[0] ? rows[i].preset : "", rows[i].help);
}
