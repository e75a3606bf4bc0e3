# One interface target carries every warning and hardening flag; each of our targets links it.
add_library(ebm_options INTERFACE)

target_compile_options(ebm_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wredundant-decls
    -Wimplicit-fallthrough -Werror=format-security -Werror=implicit
    $<$<BOOL:${EBM_WERROR}>:-Werror>
    -fvisibility=hidden
    # Same bits on every machine: no contraction into fused multiply-adds behind our back, and
    # NaN tests keep working because -ffast-math is never used.
    -ffp-contract=off -fno-math-errno
    # Nobody reads the floating-point exception flags; without them comparisons vectorise.
    -fno-trapping-math
    -fno-strict-aliasing -fno-strict-overflow -fno-delete-null-pointer-checks)
target_compile_options(ebm_options INTERFACE
    $<$<C_COMPILER_ID:GNU>:-Wtrampolines>
    $<$<C_COMPILER_ID:GNU>:-Wbidi-chars=any>)
target_compile_definitions(ebm_options INTERFACE _POSIX_C_SOURCE=200809L)

if(EBM_SANITIZE)
    target_compile_options(ebm_options INTERFACE
        -fsanitize=${EBM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(ebm_options INTERFACE -fsanitize=${EBM_SANITIZE})
else()
    # Hardening; sanitizers bring their own checks and clash with _FORTIFY_SOURCE.
    target_compile_options(ebm_options INTERFACE
        $<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE>
        $<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=3>
        -fstack-protector-strong -fstack-clash-protection
        $<$<IN_LIST:${CMAKE_SYSTEM_PROCESSOR},x86_64;AMD64>:-fcf-protection=full>)
    target_link_options(ebm_options INTERFACE
        -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodlopen)
endif()
if(EBM_FUZZ)
    # Without it libFuzzer would not see which branches of the rooms an input takes.
    target_compile_options(ebm_options INTERFACE -fsanitize=fuzzer-no-link)
    target_link_options(ebm_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(EBM_COVERAGE)
    target_compile_options(ebm_options INTERFACE --coverage)
    target_link_options(ebm_options INTERFACE --coverage)
endif()

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
