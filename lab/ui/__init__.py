"""The only Streamlit code outside app.py and pages/: language, layout, charts, forms, gate."""
