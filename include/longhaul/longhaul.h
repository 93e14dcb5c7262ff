// All that a trainer of one's own begins with: recipes, data, model, optimiser, evaluation, Hugging Face folders.
// Link longhaul::longhaul (docs/examples/custom_trainer). What else there is stands in the layers' folders beside this.
#pragma once

#include "longhaul/checkpoint/hf_export.h"
#include "longhaul/core/error.h"
#include "longhaul/data/datasets.h"
#include "longhaul/data/loader.h"
#include "longhaul/model/initialise.h"
#include "longhaul/model/transformer.h"
#include "longhaul/optim/learning_rate.h"
#include "longhaul/optim/optimizer.h"
#include "longhaul/recipes/library.h"
#include "longhaul/recipes/load.h"
#include "longhaul/train/device.h"
#include "longhaul/train/device_batch.h"
#include "longhaul/train/evaluator.h"
#include "longhaul/train/generate.h"
#include "longhaul/train/model_folder.h"
#include "longhaul/train/trainer.h"
