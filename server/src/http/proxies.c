/* Trusted proxies, see proxies.h. */
#include "http/proxies.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define HOPS_MAX 32

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* An address in its text form; *family tells which. */
static bool read_address(const char *text, size_t n, uint8_t out[16], int *family)
{
    char copy[EBMD_PEER_SIZE];

    if (n == 0 || n >= sizeof(copy))
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    memcpy(out, mapped, sizeof(mapped));
    *family = AF_INET;
    if (inet_pton(AF_INET, copy, out + 12) == 1)
        return true;
    *family = AF_INET6;
    return inet_pton(AF_INET6, copy, out) == 1;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    return memcmp(a, b, whole) == 0 && (rest == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

static bool read_bits(const char *text, size_t n, unsigned max, unsigned *out)
{
    unsigned v = 0;

    if (n == 0 || n > 3)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        v = v * 10 + (unsigned)(text[i] - '0');
    }
    *out = v;
    return v <= max;
}

static bool clean_behind(const ebmd_network *net)
{
    for (unsigned bit = net->bits; bit < 128; bit++) {
        if (net->address[bit / 8] & (0x80u >> (bit % 8)))
            return false;
    }
    return true;
}

static bool read_network(const char *text, size_t n, ebmd_network *out)
{
    const char *slash = memchr(text, '/', n);
    size_t len = slash ? (size_t)(slash - text) : n;
    unsigned bits, max;
    int family;

    if (!read_address(text, len, out->address, &family))
        return false;
    max = family == AF_INET ? 32 : 128;
    bits = max;
    if (slash && !read_bits(slash + 1, n - len - 1, max, &bits))
        return false;
    out->bits = bits + (128 - max);
    return clean_behind(out);
}

bool ebmd_proxies_parse(const char *text, ebmd_proxies *out)
{
    memset(out, 0, sizeof(*out));
    while (*text) {
        size_t n = strcspn(text, ",");

        if (out->n == EBMD_PROXIES_MAX || !read_network(text, n, &out->network[out->n]))
            return false;
        out->n++;
        if (text[n] == ',' && text[n + 1] == '\0')
            return false;
        text += n + (text[n] == ',');
    }
    return true;
}

static bool trusted(const ebmd_proxies *p, const uint8_t address[16])
{
    for (size_t i = 0; i < p->n; i++) {
        if (same_prefix(p->network[i].address, address, p->network[i].bits))
            return true;
    }
    return false;
}

static bool peer_address(const struct sockaddr *peer, uint8_t out[16])
{
    if (peer && peer->sa_family == AF_INET) {
        struct sockaddr_in a;

        memcpy(&a, peer, sizeof(a));
        memcpy(out, mapped, sizeof(mapped));
        memcpy(out + 12, &a.sin_addr, 4);
        return true;
    }
    if (peer && peer->sa_family == AF_INET6) {
        struct sockaddr_in6 a;

        memcpy(&a, peer, sizeof(a));
        memcpy(out, &a.sin6_addr, 16);
        return true;
    }
    return false;
}

/* Takes the last entry off "a, b, c" and gives its place; n shrinks. */
static const char *last_hop(const char *list, size_t *n, size_t *len)
{
    size_t end = *n, start;

    while (end > 0 && (list[end - 1] == ' ' || list[end - 1] == '\t'))
        end--;
    start = end;
    while (start > 0 && list[start - 1] != ',')
        start--;
    *n = start > 0 ? start - 1 : 0;
    while (start < end && (list[start] == ' ' || list[start] == '\t'))
        start++;
    *len = end - start;
    return list + start;
}

static void write_address(const uint8_t address[16], char out[EBMD_PEER_SIZE])
{
    bool v4 = memcmp(address, mapped, sizeof(mapped)) == 0;

    if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? address + 12 : address, out, EBMD_PEER_SIZE))
        memcpy(out, "-", 2);
}

void ebmd_proxies_client(const ebmd_proxies *p, const struct sockaddr *peer, const char *forwarded,
                         char out[EBMD_PEER_SIZE])
{
    size_t n = forwarded ? strlen(forwarded) : 0;
    uint8_t now[16], next[16];

    memcpy(out, "-", 2);
    if (!peer_address(peer, now))
        return;
    for (int hop = 0; hop < HOPS_MAX && n > 0 && trusted(p, now); hop++) {
        size_t len;
        const char *text = last_hop(forwarded, &n, &len);
        int family;

        if (!read_address(text, len, next, &family))
            break;
        memcpy(now, next, sizeof(now));
    }
    write_address(now, out);
}
