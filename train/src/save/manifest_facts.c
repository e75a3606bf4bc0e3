/* Texts for a manifest. What is UTF-8 is left to jansson, which writes and reads manifests. */
#include "manifest_facts.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"

#define UTF8_MAX   4              /* bytes of a character */
#define ESCAPE_MAX sizeof "\\xNN" /* with its zero */

static bool is_control(char byte)
{
    return (unsigned char)byte < 0x20 || byte == 0x7f;
}

static bool is_utf8(const char *text, size_t n)
{
    json_t *string = json_stringn(text, n);
    json_decref(string);
    return string != NULL;
}

/* Bytes of the character that text[0..n) begins with; 0 if it is none, or a control character. */
static size_t character_length(const char *text, size_t n)
{
    if ((unsigned char)*text < 0x80)
        return is_control(*text) ? 0 : 1;
    for (size_t length = 2; length <= UTF8_MAX && length <= n; length++)
        if (is_utf8(text, length))
            return length;
    return 0;
}

ebm_status ebmt__manifest_text_check(const char *where, const char *text, size_t room,
                                     ebm_error *err)
{
    size_t n = text ? strlen(text) : 0;
    if (n >= room)
        return ebm_error_set(err, EBM_ERR_ARG, where, "longer than %zu bytes", room - 1);
    for (size_t at = 0, length; at < n; at += length) {
        length = character_length(text + at, n - at);
        if (length == 0)
            return ebm_error_set(err, EBM_ERR_ARG, where, "byte %zu is %s", at + 1,
                                 is_control(text[at]) ? "a control character" : "not UTF-8");
    }
    return EBM_OK;
}

void ebmt__text_plain(const char *text, char out[EBMT_COMMAND_MAX + 1])
{
    size_t left = strlen(text), at = 0;
    while (left > 0 && at + ESCAPE_MAX <= EBMT_COMMAND_MAX + 1) {
        size_t length = character_length(text, left), taken = length > 0 ? length : 1;
        if (length > 0)
            memcpy(out + at, text, length);
        else
            (void)snprintf(out + at, ESCAPE_MAX, "\\x%02x", (unsigned char)*text);
        at += length > 0 ? length : ESCAPE_MAX - 1;
        text += taken;
        left -= taken;
    }
    out[at] = '\0';
}

/* Callers free with ebm_free(), jansson's blocks need not come from the same place. */
static char *copy_of(const char *text)
{
    size_t size = text ? strlen(text) + 1 : 0;
    char *copy = text ? ebm_alloc(size, 1) : NULL;
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

ebm_status ebmt__manifest_facts(const char *command, int64_t iterations, const char *config_json,
                                char **json, ebm_error *err)
{
    char *plain = ebm_alloc(EBMT_COMMAND_MAX + 1, 1), *text = NULL;
    json_t *facts = NULL;
    *json = NULL;
    if (plain) {
        ebmt__text_plain(command, plain);
        facts = json_pack("{s:s, s:I, s:o}", "command", plain, "iterations", (json_int_t)iterations,
                          "config", json_loads(config_json, 0, NULL));
    }
    if (facts)
        text = json_dumps(facts, JSON_REAL_PRECISION(17));
    *json = copy_of(text);
    free(text);
    json_decref(facts);
    ebm_free(plain);
    return *json ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, "model", "no memory");
}
