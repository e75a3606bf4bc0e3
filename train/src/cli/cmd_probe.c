/* `ebm probe`: a health check for images without a shell or curl. Knows a URL and a status. */
#include "cli/cli.h"
#include "cli/http_call.h"

typedef struct probe_args {
    const char *url;
    double timeout;
} probe_args;

static const ebmt_option rows[] = {
    {"--url", EBMT_OPT_STRING, offsetof(probe_args, url), 0, 0, NULL, "URL",
     "what to ask, e.g. http://127.0.0.1:8080/readyz", true},
    {"--timeout", EBMT_OPT_REAL, offsetof(probe_args, timeout), 0.001, 3600, NULL, "seconds",
     "give up after so long", false},
};

static const ebmt_command command = {
    .name = "probe",
    .summary = "Exits with 0 if a GET of the URL gives a status of 200 to 299, else with 69.",
    .options = rows,
    .n_options = sizeof rows / sizeof rows[0],
};

int ebmt__cmd_probe(int argc, char **argv)
{
    probe_args args = {.timeout = 3.0};
    ebmt_parsed parsed;
    ebm_error err = {0};
    long status = 0;
    int code;
    if (!ebmt__cli_parse(&command, argc, argv, &args, &parsed, &code))
        return code;
    ebm_status st = ebmt__http_get(args.url, args.timeout, &status, &err);
    if (st == EBM_ERR_ARG)
        return ebmt__cli_usage(command.name, &err);
    if (st == EBM_OK && (status < 200 || status > 299))
        (void)ebm_error_set(&err, EBM_ERR_UNSUPPORTED, args.url, "answered with status %ld",
                            status);
    return err.status == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail(command.name, &err);
}
