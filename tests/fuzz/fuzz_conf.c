/* Feeds bytes to what an operator's files and flags go through: configuration lines, key lines,
 * proxy lists. Nothing may be read out of bounds, and what is accepted must keep its promises. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "options/conf_file.h"
#include "http/key_line.h"
#include "http/proxies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ebm_status on_line(void *arg, const ebmd_conf_line *line, ebm_error *err)
{
    (void)arg;
    (void)err;
    if (line->key[0] == '\0' || strlen(line->key) + strlen(line->value) > EBMD_CONF_LINE_MAX)
        abort();
    return EBM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char digest[EBMD__DIGEST_SIZE], client[EBMD_PEER_SIZE];
    struct sockaddr_storage peer = {.ss_family = AF_INET6};
    ebmd_proxies proxies;
    ebmd__key key;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (ebmd_proxies_parse(text, &proxies)) {
        ebmd_proxies_client(&proxies, (const struct sockaddr *)&peer, text, client);
        if (strlen(client) >= sizeof(client))
            abort();
    }
    if (!ebmd__key_parse(text, size, &key)) {
        ebmd__key_digest(key.salt, key.digest, EBMD__DIGEST_SIZE - 1, digest);
        if (!ebmd__key_id_valid(key.id, strlen(key.id)) || key.scopes == 0)
            abort();
    }
    if (ebmd_conf_parse("f", text, size, on_line, NULL, NULL) == EBM_ERR_NOMEM)
        abort(); /* it takes no memory */
    free(text);
    return 0;
}
