// What data-parallel ranks, which hold the same parameters and read other samples, split among them, and in which type
// they add up their gradients.
#pragma once

namespace longhaul {

// Each level has what the one before it has (Rajbhandari et al., "ZeRO: memory optimizations toward training trillion
// parameter models", 2020; parameters: Zhao et al., "PyTorch FSDP", 2023).
enum class Sharding {
  none,
  optimizer,   // ZeRO 1: a rank keeps masters and moments of its share of each unit alone
  gradients,   // ZeRO 2: and the summed gradient of that share
  parameters,  // ZeRO 3: and the values of that share; a unit's are gathered where they are used
};

enum class GradientReduction {
  fp32,  // the type of the main gradients: exact, but for the order of the sum
  bf16,  // rounded to BF16 on the way: half the bytes
};

}  // namespace longhaul
