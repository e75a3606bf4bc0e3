/* `ebm check` with the set amx on CPUs without tiles: `check_emulated check DIR --kernels amx`.
 * Knows which set is emulated; never what is compared. */
#include <string.h>

#include "amx_emulator.h"
#include "cli/cli.h"

/* Names are the linker's: --wrap sends the choice of a set here. */
ebm_status __real_ebmt__cli_kernels(const char *flag, const ebm_kernels **out, ebm_error *err);
ebm_status __wrap_ebmt__cli_kernels(const char *flag, const ebm_kernels **out, ebm_error *err);

ebm_status __wrap_ebmt__cli_kernels(const char *flag, const ebm_kernels **out, ebm_error *err)
{
    const ebm_kernels *emulated = flag && strcmp(flag, "amx") == 0 ? emulated_amx() : NULL;
    if (!emulated)
        return __real_ebmt__cli_kernels(flag, out, err);
    *out = emulated;
    return EBM_OK;
}

int main(int argc, char **argv)
{
    return argc < 2 ? EBMT_EXIT_USAGE : ebmt__cmd_check(argc - 2, argv + 2);
}
