# SPDX-License-Identifier: GPL-3.0-or-later
"""What is trained on what, for how long: one module for each thing that `dofkit train` makes.

A recipe's numbers stand in one table for each profile. `quick` shows in minutes, on scenes, that it works; `full`
makes the weights that come with the kit, on the real data; `paper` has a guidance of the paper's size, VGG-16's, and
needs a GPU. The paper states no picture sizes, batches or steps: those are ours in every profile.
"""
