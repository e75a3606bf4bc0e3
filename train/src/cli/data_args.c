/* See data_args.h. */
#include "cli/data_args.h"

static const int32_t data_channels[] = {0, 1, 3};

ebmt__data_args ebmt__data_args_default(void)
{
    return (ebmt__data_args){.cache_mib = (int64_t)(EBMT_DATA_CACHE_DEFAULT >> 20)};
}

ebmt_data_options ebmt__data_options_of(const ebmt__data_args *args)
{
    ebmt_data_options o = args->options;
    o.format = (ebmt_format)args->format;
    o.crop = (ebmt_crop)args->crop;
    o.channels = data_channels[args->channels];
    o.cache_bytes = (size_t)args->cache_mib << 20;
    return o;
}
