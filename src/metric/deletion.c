/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/removal.h"

aosa_status ao_metric_deletion(struct ao_metric_call *call)
{
    return ao_removal_report(call, false);
}
