"""What reviews say: sentiment, aspects, intent, in English and Chinese. Importing it loads no network."""
