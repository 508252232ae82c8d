"""Review analysis in English and Chinese: sentiment, aspects and intents. Importing the package loads no network."""
