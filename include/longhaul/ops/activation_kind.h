#pragma once

namespace longhaul {

// gelu_tanh is Hugging Face's gelu_new / gelu_pytorch_tanh; squared_relu is relu2. Fusion never changes the function.
enum class Activation { gelu_erf, gelu_tanh, silu, squared_relu, relu };

}  // namespace longhaul
