/* POST /v1/sample, /v1/inpaint and so on: one kind of job for each. */
#include "routes/submit.h"

void ebmd_route_sample(const ebmd_app *app, ebmd_request *r)
{
    ebmd_submit(app, r, &ebmd_kind_sample);
}

void ebmd_route_inpaint(const ebmd_app *app, ebmd_request *r)
{
    ebmd_submit(app, r, &ebmd_kind_inpaint);
}

void ebmd_route_interpolate(const ebmd_app *app, ebmd_request *r)
{
    ebmd_submit(app, r, &ebmd_kind_interpolate);
}

void ebmd_route_energy(const ebmd_app *app, ebmd_request *r)
{
    ebmd_submit(app, r, &ebmd_kind_energy);
}

void ebmd_route_mcmc(const ebmd_app *app, ebmd_request *r)
{
    ebmd_submit(app, r, &ebmd_kind_mcmc);
}

void ebmd_route_likelihood(const ebmd_app *app, ebmd_request *r)
{
    ebmd_submit(app, r, &ebmd_kind_likelihood);
}
