/* Which peers are our own proxies, and whom they speak for: X-Forwarded-For counts only as far as
 * listed networks vouch for it. Knows addresses, no requests. */
#ifndef EBMD_PROXIES_H
#define EBMD_PROXIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define EBMD_PROXIES_MAX 32
#define EBMD_PEER_SIZE   46 /* INET6_ADDRSTRLEN */

/* An IPv6 network; IPv4 is kept as ::ffff:a.b.c.d. */
typedef struct ebmd_network {
    uint8_t address[16];
    unsigned bits;
} ebmd_network;

typedef struct ebmd_proxies {
    ebmd_network network[EBMD_PROXIES_MAX];
    size_t n;
} ebmd_proxies;

/* Reads "10.0.0.0/8,::1": addresses or CIDR networks, separated by commas; "" is none.
 * @err false: malformed, bits set behind the prefix, or too many */
bool ebmd_proxies_parse(const char *text, ebmd_proxies *out);

/* Writes the client's address: the peer's own, unless the peer is trusted; then the last address
 * of X-Forwarded-For that no trusted proxy has. What a stranger wrote further left is never
 * looked at; a malformed hop ends the walk at the last good one. "-" if there is no address.
 * @range forwarded may be NULL */
void ebmd_proxies_client(const ebmd_proxies *p, const struct sockaddr *peer, const char *forwarded,
                         char out[EBMD_PEER_SIZE]);

#endif
