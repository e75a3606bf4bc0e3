/* What the routes of chains share. Not for others. */
#ifndef EBMD_ROUTE_CHAINS_H
#define EBMD_ROUTE_CHAINS_H

#include "routes/router.h"

/* Finds the job of the chains that the request names. @err false: answered 404 or 410 */
EBM_MUST_CHECK bool ebmd_chains_find(const ebmd_app *app, ebmd_request *r, ebmd_view *view);

#endif
