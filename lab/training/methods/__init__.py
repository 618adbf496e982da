"""What is trained and how: adapters, quantized bases, frozen and thawing layers, optimizers, and what works against
forgetting, overfitting and imbalance. `Methods` puts what a spec asks for around a Trainer.
"""
