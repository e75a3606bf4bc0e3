/* POST /v1/sample and /sample. */
#include "submit.h"

void ebmd_route_sample(const ebmd_app *app, ebmd_request *r)
{
    ebmd_submit(app, r, &ebmd_kind_sample);
}
