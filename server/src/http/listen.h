/* Sockets before they serve: opening listeners, and whether descriptors will suffice. */
#ifndef EBMD_LISTEN_H
#define EBMD_LISTEN_H

#include <stdbool.h>

#include "ebm/status.h"

typedef struct ebmd_address {
    char host[256];
    char port[8];
    bool none; /* the listener is switched off */
} ebmd_address;

/* True for an address that only this machine can reach. */
bool ebmd_address_is_loopback(const ebmd_address *a);

/* Opens a listening socket. @own *fd: close() @err IO with the address in err->where */
EBM_MUST_CHECK ebm_status ebmd_listen_open(const ebmd_address *address, int *fd, ebm_error *err);

/* From here on the kernel drops what arrives at a listener for new connections: their clients try
 * again a second later, and find the next process or nobody. Those that are established stay, in
 * the listener's queue too. Where the kernel cannot do that, nothing changes. */
void ebmd_listen_refuse(int fd);

/* The number of connections that the hard limit of descriptors affords, at most `wanted`. */
unsigned ebmd_listen_affordable(unsigned wanted);

/* Raises the soft limit of descriptors to what is needed.
 * @err LIMIT with the sum in the text, if the hard limit is lower */
EBM_MUST_CHECK ebm_status ebmd_listen_budget(unsigned connections, ebm_error *err);

/* Makes sure that descriptors 0 to 2 are open, so that no socket can become standard error.
 * @err IO */
EBM_MUST_CHECK ebm_status ebmd_listen_keep_std(ebm_error *err);

#endif
