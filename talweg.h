#ifndef TALWEG_TALWEG_H_
#define TALWEG_TALWEG_H_

// The public names of Talweg, and nothing else.

#include "plot/figure.h"

#endif  // TALWEG_TALWEG_H_
